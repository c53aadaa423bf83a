on("message", function() end)
