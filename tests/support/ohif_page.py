"""What is asked of the page that OHIF runs in, in JavaScript."""

from __future__ import annotations

from typing import Final

VIEWPORT: Final = "window.cornerstone.getRenderingEngines()[0].getViewports()[0]"
"""The first viewport."""

COUNT: Final = """
() => {
  const canvas = document.querySelector('.cornerstone-canvas');
  if (!canvas || !canvas.width) return null;
  const copy = document.createElement('canvas');
  copy.width = canvas.width; copy.height = canvas.height;
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0);
  const data = context.getImageData(0, 0, copy.width, copy.height).data;
  let coloured = 0, grey = 0, left = copy.width, top = copy.height, right = 0, bottom = 0;
  for (let i = 0; i < data.length; i += 4) {
    const high = Math.max(data[i], data[i + 1], data[i + 2]), low = Math.min(data[i], data[i + 1], data[i + 2]);
    if (high - low > 40) {
      coloured++;
      const column = (i / 4) % copy.width, row = Math.floor(i / 4 / copy.width);
      left = Math.min(left, column); right = Math.max(right, column + 1);
      top = Math.min(top, row); bottom = Math.max(bottom, row + 1);
    } else if (high > 20) grey++;
  }
  return {coloured, grey, box: [left, top, right, bottom]};
}
"""
"""Counts what is drawn in the viewport."""

GLYPHS: Final = """
text => new Set([...text].map(character => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 64;
  const context = canvas.getContext('2d');
  context.font = '32px ' + getComputedStyle(document.body).fontFamily;
  context.fillText(character, 8, 48);
  return canvas.toDataURL();
})).size
"""
"""Counts how many different pictures the characters of a text have."""

SEGMENTS: Final = f"""
() => window.services.segmentationService.getSegmentations().flatMap(one => Object.values(one.segments)
  .filter(segment => segment).map(segment => ({{label: segment.label, colour:
    window.services.segmentationService.getSegmentColor({VIEWPORT}.id, one.segmentationId, segment.segmentIndex)}})))
"""
"""Lists the segments that are shown, with their colours."""

MEASUREMENTS: Final = (
    "window.services.displaySetService.getActiveDisplaySets().flatMap(one => one.Modality === 'SR'"
    " ? one.measurements ?? [] : []).filter(one => one.loaded)"
)
"""What the opened reports measured, as far as it is drawn."""
