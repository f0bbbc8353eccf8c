"""The codecs behind `load_codec`: compact and EnCodec, streaming, training and their measures."""
