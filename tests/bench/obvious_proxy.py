"""The proxy one writes first, as a peer for `tests/bench/gateway.py`: python -m tests.bench.obvious_proxy PORT UPSTREAM"""

import sys

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

app = FastAPI()
client = httpx.AsyncClient(limits=httpx.Limits(max_connections=100))
base = ""


@app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
async def pass_on(request: Request, path: str) -> StreamingResponse:
    headers = [(k, v) for k, v in request.headers.raw if k != b"host"]
    url = httpx.URL(f"{base}/{path}").copy_with(query=request.url.query.encode() or None)
    asked = client.build_request(request.method, url, headers=headers, content=request.stream())
    answer = await client.send(asked, stream=True)
    return StreamingResponse(answer.aiter_raw(), answer.status_code, dict(answer.headers), background=None)


if __name__ == "__main__":
    base = f"http://127.0.0.1:{sys.argv[2]}"
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="critical", access_log=False)
