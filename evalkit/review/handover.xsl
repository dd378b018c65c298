<?xml version="1.0" encoding="UTF-8"?>
<!-- What of each part's XML stays in a copy that is handed over. XML comments and processing
     instructions go by themselves; what is not named here is copied. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:re="http://exslt.org/regular-expressions" exclude-result-prefixes="re"
    xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
  <!-- marks of review, of tools and of things outside: gone with all they hold -->
  <xsl:variable name="dropped" select="concat(' ', normalize-space('
    proofErr lastRenderedPageBreak permStart permEnd commentRangeStart commentRangeEnd commentReference annotationRef
    sdtPr sdtEndPr smartTagPr customXmlPr externalData hlinkClick hlinkHover extLst
    embedRegular embedBold embedItalic embedBoldItalic'), ' ')"/>
  <!-- wrappers: their content takes their place -->
  <xsl:variable name="unwrapped" select="' sdt sdtContent smartTag customXml '"/>
  <!-- settings that change how pages look -->
  <xsl:variable name="settings" select="concat(' ', normalize-space('
    zoom mirrorMargins bordersDoNotSurroundHeader bordersDoNotSurroundFooter gutterAtTop defaultTabStop
    autoHyphenation evenAndOddHeaders drawingGridHorizontalSpacing drawingGridVerticalSpacing
    characterSpacingControl noLineBreaksAfter noLineBreaksBefore footnotePr endnotePr compat mathPr
    themeFontLang clrSchemeMapping decimalSymbol listSeparator'), ' ')"/>
  <xsl:variable name="gone" select="' paraId textId tooltip tgtFrame docLocation '"/>
  <!-- names that programs give, and words for pictures that may be file names -->
  <xsl:variable name="named" select="' docPr cNvPr theme clrScheme fontScheme fmtScheme '"/>
  <xsl:variable name="worded" select="' descr title alt '"/>
  <xsl:key name="kept" match="w:bookmarkStart[starts-with(@w:name, '_Toc') or starts-with(@w:name, '_Ref')]"
    use="@w:id"/>

  <xsl:template match="*">
    <xsl:variable name="name" select="concat(' ', local-name(), ' ')"/>
    <xsl:choose>
      <xsl:when test="contains($dropped, $name)"/>
      <xsl:when test="self::w:r[w:commentReference]"/>
      <!-- hidden text; spare fonts of a theme, named after their maker -->
      <xsl:when test="self::w:r[w:rPr/w:vanish[not(@w:val = '0' or @w:val = 'false')]]"/>
      <xsl:when test="local-name() = 'font' and contains(' majorFont minorFont ', concat(' ', local-name(..), ' '))"/>
      <xsl:when test="parent::w:settings and not(contains($settings, $name))"/>
      <xsl:when test="(self::w:bookmarkStart or self::w:bookmarkEnd) and not(key('kept', @w:id))"/>
      <xsl:when test="contains($unwrapped, $name) or (self::w:hyperlink and not(@w:anchor))">
        <xsl:apply-templates/>
      </xsl:when>
      <xsl:otherwise>
        <xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="@*">
    <xsl:variable name="name" select="concat(' ', local-name(), ' ')"/>
    <xsl:choose>
      <xsl:when test="starts-with(local-name(), 'rsid') or contains($gone, $name)"/>
      <xsl:when test="(local-name() = 'name' and contains($named, concat(' ', local-name(..), ' ')))
                      or (contains($worded, $name) and re:test(., '[\\/]|\.\w{2,4}$'))">
        <xsl:attribute name="{name()}" namespace="{namespace-uri()}">图片</xsl:attribute>
      </xsl:when>
      <xsl:otherwise><xsl:copy/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
