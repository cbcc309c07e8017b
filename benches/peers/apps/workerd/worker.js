import { check, page } from "./order.mjs";

const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);

async function handle(request) {
  const url = new URL(request.url);
  switch (url.pathname) {
    case "/hello":
      return Response.json({ message: "hello " + (url.searchParams.get("name") ?? "world") });
    case "/compute":
      return Response.json({ fib: fib(22) });
    case "/transform": {
      const { items } = await request.json();
      let sum = 0;
      for (const item of items) sum += item.value;
      return Response.json({ sum, count: items.length, first: items[0].name });
    }
    case "/order": {
      const order = await request.json();
      try { check(order); } catch (error) { return Response.json({ error }, { status: 422 }); }
      return new Response(page(order), { headers: { "content-type": "text/html; charset=utf-8" } });
    }
    default:
      return new Response("", { status: 404 });
  }
}

export default { fetch: handle };
