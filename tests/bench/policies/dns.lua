on("mail", function()
  if dns.txt("bench.test")[1] ~= "yes" then return tempfail() end
end)
