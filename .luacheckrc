std = "lua54"
max_line_length = 80

-- The boot file is a sandbox of settings: assigning a global is setting one.
files["conf"] = { std = "none", ignore = { "111", "112", "113", "131" } }
