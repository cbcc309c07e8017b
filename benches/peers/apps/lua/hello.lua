local cjson = require "cjson"
local query = ngx.req.get_uri_args()
ngx.header.content_type = "application/json"
ngx.print(cjson.encode({ message = "hello " .. (query.name or "world") }))
