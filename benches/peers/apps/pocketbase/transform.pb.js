routerAdd("POST", "/transform", e => {
  const items = e.requestInfo().body.items;
  let sum = 0;
  for (const item of items) sum += item.value;
  return e.json(200, { sum, count: items.length, first: items[0].name });
});
