std = "lua54"
max_line_length = 80

-- The boot file is a sandbox of settings: assigning a global is setting one.
files["conf"] = { std = "none", ignore = { "111", "112", "113", "131" } }

-- What a policy sees (postern-policy(7)).
files["lua/cookbook"] = {
  read_globals = { "rule", "default", "on", "test", "accept", "reject",
    "tempfail", "discard", "quarantine", "disconnect", "lookup", "dns",
    "http", "cache", "ratelimit", "shared", "try", "log", "alert", "metric",
    "now" },
}
