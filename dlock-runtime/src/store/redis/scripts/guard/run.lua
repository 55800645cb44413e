-- The script as it is without a guard, with what is different while the server is closed.
local function run()
