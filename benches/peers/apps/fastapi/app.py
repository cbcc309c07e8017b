from functools import reduce

import prices
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse

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


def check(order):
    if not order.get("customer", {}).get("name"):
        raise ValueError("an order has a customer")
    if not order["items"]:
        raise ValueError("an order has items")
    for item in order["items"]:
        if type(item["quantity"]) is not int or item["quantity"] < 1:
            raise ValueError(f"the quantity of {item['sku']} is a number above 0")


def vat_per_mille(country):
    match country:
        case "DE":
            return 190
        case "FR":
            return 200
        case "CH" | "LI":
            return 81
        case _:
            return 0


def shipping(grams):
    return 490 if grams < 1000 else 790 if grams < 5000 else 1490 if grams < 20000 else 2990


def row(line):
    return f"<tr><td>{line['name']}</td><td>{line['quantity']}</td><td>{line['total']}</td></tr>"


@app.post("/order")
async def order(request: Request):
    order = await request.json()
    try:
        check(order)
    except ValueError as why:
        return JSONResponse({"error": str(why)}, 422)
    level = order["customer"]["level"]
    lines = [
        {"sku": item["sku"], "name": item["name"], "quantity": item["quantity"], "total": prices.for_level(item["price"], level) * item["quantity"]}
        for item in order["items"]
        if not item["gift"]
    ]
    net = reduce(lambda sum, line: sum + line["total"], lines, 0)
    grams = sum(item["grams"] * item["quantity"] for item in order["items"])
    tax = net * vat_per_mille(order["customer"]["country"]) // 1000
    rows = "".join(map(row, lines))
    total = net + tax + shipping(grams)
    return HTMLResponse(
        f"<h1>Order {order['id']} of {order['customer']['name']}</h1><table>{rows}</table>"
        f"<p>net {net}, tax {tax}, shipping {shipping(grams)}, total {total}</p>"
    )
