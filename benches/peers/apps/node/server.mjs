import http from "node:http";
import { check, page } from "./order.mjs";

const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);

const answer = (response, value) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(value));
};

const body = (request, use) => {
  const parts = [];
  request.on("data", part => parts.push(part));
  request.on("end", () => use(JSON.parse(Buffer.concat(parts).toString())));
};

// `fetch` is what one writes today; `http.get` is older, and faster.
const json = {
  fetch: async url => (await fetch(url)).json(),
  http: url => new Promise((resolve, reject) => {
    http.get(url, answer => {
      const parts = [];
      answer.on("data", part => parts.push(part));
      answer.on("end", () => resolve(JSON.parse(Buffer.concat(parts).toString())));
    }).on("error", reject);
  }),
}[process.env.CLIENT ?? "fetch"];

http.createServer(async (request, response) => {
  const url = new URL(request.url, "http://x");
  switch (url.pathname) {
    case "/hello":
      return answer(response, { message: "hello " + (url.searchParams.get("name") ?? "world") });
    case "/compute":
      return answer(response, { fib: fib(22) });
    case "/transform":
      return body(request, ({ items }) => {
        let sum = 0;
        for (const item of items) sum += item.value;
        answer(response, { sum, count: items.length, first: items[0].name });
      });
    case "/order":
      return body(request, order => {
        try { check(order); } catch (error) {
          response.statusCode = 422;
          return answer(response, { error });
        }
        response.setHeader("content-type", "text/html; charset=utf-8");
        response.end(page(order));
      });
    case "/profile": {
      const user = await json(process.env.UPSTREAM + "/user");
      return answer(response, { name: user.name, city: user.address.city });
    }
    default:
      response.statusCode = 404;
      response.end();
  }
}).listen(+process.env.PORT, "127.0.0.1");
