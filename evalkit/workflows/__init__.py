"""One module a business: Params, load, evaluate, deliver. A notebook of the same name calls it."""
