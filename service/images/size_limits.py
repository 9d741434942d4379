"""How large a picture may be."""

# When it is decoded: 25 megapixels are 75 MB. The default of UNDERSTUDY_MAX_IMAGE_PIXELS, and
# what the trainer takes.
MOST_PIXELS = 25_000_000
