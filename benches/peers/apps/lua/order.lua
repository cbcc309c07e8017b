local cjson = require "cjson"
local floor = math.floor

local function for_level(price, level)
  if level == "gold" then return price - floor(price / 10) elseif level == "silver" then return price - floor(price / 20) end
  return price
end

local function check(order)
  if order.customer == nil or (order.customer.name or "") == "" then error("an order has a customer", 0) end
  if #order.items == 0 then error("an order has items", 0) end
  for _, item in ipairs(order.items) do
    if type(item.quantity) ~= "number" or item.quantity < 1 then error("the quantity of " .. item.sku .. " is a number above 0", 0) end
  end
end

local VAT_PER_MILLE = { DE = 190, FR = 200, CH = 81, LI = 81 }

local function shipping(grams)
  if grams < 1000 then return 490 elseif grams < 5000 then return 790 elseif grams < 20000 then return 1490 end
  return 2990
end

local function row(line)
  return "<tr><td>" .. line.name .. "</td><td>" .. line.quantity .. "</td><td>" .. line.total .. "</td></tr>"
end

local function filter(list, want)
  local kept = {}
  for _, item in ipairs(list) do if want(item) then kept[#kept + 1] = item end end
  return kept
end

local function map(list, of)
  local made = {}
  for at, item in ipairs(list) do made[at] = of(item) end
  return made
end

local function reduce(list, with, result)
  for _, item in ipairs(list) do result = with(result, item) end
  return result
end

ngx.req.read_body()
local order = cjson.decode(ngx.req.get_body_data())
local is_good, why = pcall(check, order)
if not is_good then
  ngx.status = 422
  ngx.header.content_type = "application/json"
  return ngx.print(cjson.encode({ error = why }))
end

local level = order.customer.level
local lines = map(filter(order.items, function(item) return not item.gift end), function(item)
  return { sku = item.sku, name = item.name, quantity = item.quantity, total = for_level(item.price, level) * item.quantity }
end)
local net = reduce(lines, function(sum, line) return sum + line.total end, 0)
local grams = 0
for _, item in ipairs(order.items) do grams = grams + item.grams * item.quantity end
local tax = floor(net * (VAT_PER_MILLE[order.customer.country] or 0) / 1000)
local rows = table.concat(map(lines, row))
local total = net + tax + shipping(grams)
ngx.header.content_type = "text/html; charset=utf-8"
ngx.print("<h1>Order ", order.id, " of ", order.customer.name, "</h1><table>", rows, "</table><p>net ", net, ", tax ", tax, ", shipping ", shipping(grams), ", total ", total, "</p>")
