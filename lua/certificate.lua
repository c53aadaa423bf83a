-- client_cert = { subject =, issuer =, name =, verified = }: what a client's
-- certificate says of itself.
--
-- That counts only if the certificate is verified, unless the rule says that it
-- need not be: anybody can make one that says the same.
--
--   certificate.test(field, value, texts, domains, fail)
--
-- gives f(c, tls). texts(field, value) and domains(field, value) make tests
-- f(c, text) of alternatives, as for other fields.

local values = require "values"

local certificate = {}

local known = { subject = true, issuer = true, name = true, verified = true }

local function named(test)
  return function(c, tls)
    for _, name in ipairs(tls.names or {}) do
      if test(c, name:lower()) then return true end
    end
    return false
  end
end

function certificate.test(field, value, texts, domains, fail)
  local tests, verified = {}, true
  for _, k in ipairs(values.sorted(value)) do
    local own, v = field .. "." .. k, value[k]
    if not known[k] then fail(values.unknown(k, known, field .. ":")) end
    if k == "verified" then
      if type(v) ~= "boolean" then fail(own .. ": true or false") end
      verified = v
    elseif k == "name" then
      tests[#tests + 1] = named(domains(own, v))
    else
      local test = texts(own, v)
      tests[#tests + 1] = function(c, tls) return test(c, tls[k] or "") end
    end
  end
  return function(c, tls)
    if not tls or (tls.cert or "none") == "none" or
        (verified and not tls.verified) then
      return false
    end
    for i = 1, #tests do
      if not tests[i](c, tls) then return false end
    end
    return true
  end
end

return certificate
