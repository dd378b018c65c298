"""WordprocessingML by hand: elements, bound fields and units, the package, what documents lend."""
