"""The app as a page that needs no server: its models run in the visitor's browser.

    graphs    codec and classifier as ONNX
    runtime   onnxruntime-web, which runs them, from npm
    site      the folder, or the one file
    static    the page: Fourier transforms, windows and answers in JavaScript, in place of Python's

Made by `audioformer web -o DIR`.
"""
