-- Makes wrk ask for one of a thousand rows each time. The number of the turn lets writes change them.
local turn = 0

function request()
  turn = turn + 1
  return wrk.format(nil, wrk.path .. "?id=" .. math.random(1000) .. "&turn=" .. turn)
end
