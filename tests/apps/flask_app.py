"""A Flask application: a page, a form and a streamed answer."""

from collections.abc import Iterator

from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return f"Flask over {request.environ['SERVER_PROTOCOL']}"


@app.post("/form")
def form() -> dict[str, str]:
    return {"name": request.form["name"], "file": request.files["file"].read().decode()}


@app.get("/stream")
def stream() -> Response:
    def lines() -> Iterator[str]:
        for number in range(3):
            yield f"line {number}\n"

    return Response(lines(), mimetype="text/plain")
