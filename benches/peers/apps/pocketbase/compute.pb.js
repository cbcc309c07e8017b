routerAdd("GET", "/compute", e => {
  const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);
  return e.json(200, { fib: fib(22) });
});
