-- load.lua: runs a program that was stored together with the length and the CRC-32 of its text, if both agree.
--
-- Lua on the board cannot read the text of a program. So the driver stores each program as a call of the function
-- below, with the text as its arguments (elm11_firmware.stored_text writes it):
--
--     return run_program("load.lua")("fft.lua", 14631, 0x1234abcd, [==[
--     ...the text, in pieces of at most 4000 characters...
--     ]==])
--
-- A program of which a page is missing, damaged or there twice is thus found whenever it is run, not only when it is
-- uploaded. `run_program("fft.lua")` then returns what the program returns, and the length and CRC-32 found here.
import("error")
import("load")
import("string", "byte")
import("string", "sub")
local error, load, byte, sub = error, load, string.byte, string.sub
local _ENV = nil -- from here a stray global is an error

-- CRC-32 of the byte i, polynomial 0xedb88320 (as zlib).
local crc_table = {}
for i = 0, 255 do
    local c = i
    for _ = 1, 8 do
        if c & 1 == 1 then
            c = (c >> 1) ~ 0xedb88320
        else
            c = c >> 1
        end
    end
    crc_table[i] = c
end

-- Continue a CRC over a string; 0xffffffff begins. 32-bit integers wrap, and with 64 bits nothing above 32 is set.
-- Cost: 350 instructions per byte.
local function crc_update(crc, text)
    local t, n, i = crc_table, #text, 1
    while i + 7 <= n do
        local a, b, c, d, e, f, g, h = byte(text, i, i + 7)
        crc = (crc >> 8) ~ t[(crc ~ a) & 255]
        crc = (crc >> 8) ~ t[(crc ~ b) & 255]
        crc = (crc >> 8) ~ t[(crc ~ c) & 255]
        crc = (crc >> 8) ~ t[(crc ~ d) & 255]
        crc = (crc >> 8) ~ t[(crc ~ e) & 255]
        crc = (crc >> 8) ~ t[(crc ~ f) & 255]
        crc = (crc >> 8) ~ t[(crc ~ g) & 255]
        crc = (crc >> 8) ~ t[(crc ~ h) & 255]
        i = i + 8
    end
    while i <= n do
        crc = (crc >> 8) ~ t[(crc ~ byte(text, i)) & 255]
        i = i + 1
    end
    return crc
end

-- Eight hexadecimal digits of 32 bits.
local function hex(c)
    local text = ""
    for shift = 28, 0, -4 do
        local digit = (c >> shift & 15) + 1
        text = text .. sub("0123456789abcdef", digit, digit)
    end
    return text
end

-- Checks and runs a program. The program gets its length and CRC-32 (8 hexadecimal digits) as `...`.
return function(name, length, crc, ...)
    local pieces = {...}
    local found_length, found = 0, 0xffffffff
    for i = 1, #pieces do
        found_length, found = found_length + #pieces[i], crc_update(found, pieces[i])
    end
    found = ~found & 0xffffffff
    if found_length ~= length or found ~= crc then
        error(name .. " is damaged on this board (" .. found_length .. " bytes, CRC-32 " .. hex(found) .. " instead of "
            .. length .. ", " .. hex(crc) .. "); upload it again: elm11-upload-scripts", 0)
    end
    local i = 0
    local chunk, message = load(function()
        i = i + 1
        return pieces[i]
    end, "=" .. name)
    if not chunk then
        error(message, 0)
    end
    local text = hex(found)
    local result = chunk(length, text)
    return result, length, text
end
