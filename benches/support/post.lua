-- Tells wrk to post a file that lies beside this one: wrk -s post.lua URL -- body.json
local folder = debug.getinfo(1, "S").source:match("^@?(.*/)")

function init(arguments)
  local file = assert(io.open(folder .. arguments[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["content-type"] = "application/json"
  file:close()
end
