import http from "node:http";

const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);

const answer = (response, value) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(value));
};

http.createServer((request, response) => {
  const url = new URL(request.url, "http://x");
  switch (url.pathname) {
    case "/hello":
      return answer(response, { message: "hello " + (url.searchParams.get("name") ?? "world") });
    case "/compute":
      return answer(response, { fib: fib(22) });
    case "/transform": {
      const parts = [];
      request.on("data", part => parts.push(part));
      request.on("end", () => {
        const { items } = JSON.parse(Buffer.concat(parts).toString());
        let sum = 0;
        for (const item of items) sum += item.value;
        answer(response, { sum, count: items.length, first: items[0].name });
      });
      return;
    }
    default:
      response.statusCode = 404;
      response.end();
  }
}).listen(+process.env.PORT, "127.0.0.1");
