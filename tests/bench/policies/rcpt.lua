on("rcpt", function(rcpt)
  if rcpt.domain == "partner.example" then rcpt:tls("required-verify") end
end)
