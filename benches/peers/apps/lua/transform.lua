local cjson = require "cjson"
ngx.req.read_body()
local items = cjson.decode(ngx.req.get_body_data()).items
local sum = 0
for _, item in ipairs(items) do sum = sum + item.value end
ngx.header.content_type = "application/json"
ngx.print(cjson.encode({ sum = sum, count = #items, first = items[1].name }))
