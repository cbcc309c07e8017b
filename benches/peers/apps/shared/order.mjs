// F4, an order to a page: what the peers that run JavaScript share. `check` throws what is wrong with an order.
const prices = {
  forLevel: (price, level) => level === "gold" ? price - Math.trunc(price / 10) : level === "silver" ? price - Math.trunc(price / 20) : price,
};

export function check(order) {
  if ((order.customer?.name ?? "") === "") throw "an order has a customer";
  if (order.items.length === 0) throw "an order has items";
  for (const item of order.items) {
    if (!Number.isInteger(item.quantity) || item.quantity < 1) throw `the quantity of ${item.sku} is a number above 0`;
  }
}

function vatPerMille(country) {
  switch (country) {
    case "DE": return 190;
    case "FR": return 200;
    case "CH": case "LI": return 81;
    default: return 0;
  }
}

function shipping(grams) {
  if (grams < 1000) return 490;
  if (grams < 5000) return 790;
  if (grams < 20000) return 1490;
  return 2990;
}

const row = line => `<tr><td>${line.name}</td><td>${line.quantity}</td><td>${line.total}</td></tr>`;

export function page(order) {
  const level = order.customer.level;
  const lines = order.items.filter(item => !item.gift).map(item => ({
    sku: item.sku, name: item.name, quantity: item.quantity, total: prices.forLevel(item.price, level) * item.quantity,
  }));
  const net = lines.reduce((sum, line) => sum + line.total, 0);
  let grams = 0;
  for (const item of order.items) grams += item.grams * item.quantity;
  const tax = Math.trunc(net * vatPerMille(order.customer.country) / 1000);
  let rows = "";
  for (const line of lines) rows += row(line);
  const total = net + tax + shipping(grams);
  return `<h1>Order ${order.id} of ${order.customer.name}</h1><table>${rows}</table><p>net ${net}, tax ${tax}, shipping ${shipping(grams)}, total ${total}</p>`;
}
