import fastify from "fastify";
import { check, page } from "./order.mjs";

const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);

const app = fastify({ logger: false });
app.get("/hello", async request => ({ message: "hello " + (request.query.name ?? "world") }));
app.get("/compute", async () => ({ fib: fib(22) }));
app.post("/transform", async request => {
  const { items } = request.body;
  let sum = 0;
  for (const item of items) sum += item.value;
  return { sum, count: items.length, first: items[0].name };
});
app.post("/order", async (request, reply) => {
  const order = request.body;
  try { check(order); } catch (error) { return reply.code(422).send({ error }); }
  return reply.type("text/html; charset=utf-8").send(page(order));
});
app.get("/profile", async () => {
  const user = await (await fetch(process.env.UPSTREAM + "/user")).json();
  return { name: user.name, city: user.address.city };
});
app.listen({ port: +process.env.PORT, host: "127.0.0.1" });
