// PocketBase gives a handler nothing from around it, and takes no modules of this kind. So the driver puts ../shared/order.mjs into it.
routerAdd("POST", "/order", e => {
@ORDER@
  const order = e.requestInfo().body;
  try { check(order); } catch (error) { return e.json(422, { error }); }
  return e.html(200, page(order));
});
