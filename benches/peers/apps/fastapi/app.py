from fastapi import FastAPI, Request

app = FastAPI()


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@app.get("/hello")
async def hello(name: str = "world"):
    return {"message": "hello " + name}


@app.get("/compute")
async def compute():
    return {"fib": fib(22)}


@app.post("/transform")
async def transform(request: Request):
    items = (await request.json())["items"]
    return {"sum": sum(item["value"] for item in items), "count": len(items), "first": items[0]["name"]}
