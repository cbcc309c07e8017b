-- Tells wrk to post body.json, which lies beside this file.
local folder = debug.getinfo(1, "S").source:match("^@?(.*/)")
local file = assert(io.open(folder .. "body.json", "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["content-type"] = "application/json"
file:close()
