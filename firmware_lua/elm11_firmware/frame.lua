-- frame.lua: result lines with a CRC-32, and histograms as text. The format is described in frame.py of the driver.
--
-- A line is ~<kind><sequence> <payload>*<crc>. Kinds: H hello, P progress, D data, E end, X error.
-- Runs on 32-bit integers that wrap and on 64-bit ones, and gives the same bytes on both.
import("string", "byte")
import("string", "char")
import("string", "gsub")
import("string", "sub")
import("table", "concat")
local byte, char, gsub, sub = string.byte, string.char, string.gsub, string.sub
local collectgarbage, concat, print = collectgarbage, table.concat, print
local _ENV = nil -- from here a stray global is an error

local frame = {}

-- Bins in one data line. frame.py has the same number.
frame.block_bins = 250

-- Blocks from one garbage collection to the next. By itself Lua would begin only when twice as much memory is in use as now, and
-- long before that a board with a large job would stop for good.
local BLOCKS_KEPT = 8

-- A buffer of symbols is emptied into a string before it can grow past the 1024 elements a table can hold.
local BUFFER_FULL = 900

-- Counts as text: see the table in frame.py.
local DIGITS, ONE, TWO, THREE = 94, 84, 836, 9672

-- crc_table[i]: CRC-32 of the byte i, polynomial 0xedb88320 (as zlib).
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

-- symbols[z]: the character of the digit z, so that coding makes no strings.
local symbols = {}
for z = 0, DIGITS - 1 do
  symbols[z] = char(33 + z)
end

local nibbles = {}
for i = 0, 15 do
  nibbles[i] = sub("0123456789abcdef", i + 1, i + 1)
end

local buffer = {}
for i = 1, BUFFER_FULL + 8 do
  buffer[i] = ""
end

-- Continue a CRC over a string. Begin with crc = -1; the CRC is ~crc at the end.
-- With 64-bit integers the 32 upper bits are of no meaning: callers mask them.
-- Cost: 6 VM instructions per byte.
local function crc_update(crc, text)
  local t, n = crc_table, #text
  crc = crc & 0xffffffff
  local i = 1
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

-- Eight hex digits of the lower 32 bits.
local function hex(c)
  local n = nibbles
  return n[c >> 28 & 15] .. n[c >> 24 & 15] .. n[c >> 20 & 15] .. n[c >> 16 & 15]
    .. n[c >> 12 & 15] .. n[c >> 8 & 15] .. n[c >> 4 & 15] .. n[c & 15]
end

-- CRC-32 of a string as 8 hex digits.
-- text: any bytes. Cost: 6 VM instructions per byte.
function frame.crc32(text)
  return hex(~crc_update(-1, text))
end

local function question_mark()
  return "?"
end

-- Send one line. kind: one letter; sequence: integer, 0 and above; payload: text.
-- What is not printable ASCII in the payload becomes "?".
function frame.send(kind, sequence, payload)
  local body = kind .. sequence .. " " .. gsub(payload, "[^ -~]", question_mark)
  print("~" .. body .. "*" .. hex(~crc_update(-1, body)))
end

-- The last end frame's payload, for frame.again.
local last_end = "0 0 0 00000000 0"

-- Send one block of a histogram: counts[from] to counts[to], at most block_bins of them, of bin `first` and up.
-- Sends nothing when all are zero. Returns the line's CRC as 8 hex digits (nil when nothing was sent) and the sum.
-- Creates a handful of strings and no table. Cost: 25 VM instructions per bin, the CRC included.
-- sequence: number of the block, from 0; row: number of its row, from 0.
function frame.block(sequence, row, first, counts, from, to)
  while from <= to and counts[from] == 0 do
    from, first = from + 1, first + 1
  end
  while from <= to and counts[to] == 0 do
    to = to - 1
  end
  if from > to then
    return nil, 0
  end
  local text = "D" .. sequence .. " " .. row .. " " .. first .. " "
  local crc = crc_update(-1, text)
  local t, out, s, n = crc_table, buffer, symbols, 0
  local before, total = 0, 0
  for i = from, to do
    local count = counts[i]
    local z = count - before
    before, total = count, total + count
    -- Fold without overflow: differences beyond THREE are not doubled.
    if z >= 0 then
      z = z < THREE and z + z or THREE
    else
      z = z > -THREE and -1 - z - z or THREE
    end
    if z < ONE then
      n = n + 1
      out[n] = s[z]
      crc = (crc >> 8) ~ t[(crc ~ z + 33) & 255]
    elseif z < TWO then
      z = z - ONE
      local high, low = ONE + z // DIGITS, z % DIGITS
      out[n + 1], out[n + 2] = s[high], s[low]
      n = n + 2
      crc = (crc >> 8) ~ t[(crc ~ high + 33) & 255]
      crc = (crc >> 8) ~ t[(crc ~ low + 33) & 255]
    elseif z < THREE then
      z = z - TWO
      local high, low = z // DIGITS, z % DIGITS
      out[n + 1], out[n + 2], out[n + 3] = s[92], s[high], s[low]
      n = n + 3
      crc = (crc >> 8) ~ t[(crc ~ 92 + 33) & 255]
      crc = (crc >> 8) ~ t[(crc ~ high + 33) & 255]
      crc = (crc >> 8) ~ t[(crc ~ low + 33) & 255]
    else
      local rest, divisor = count, 78074896 -- 94^4
      n = n + 1
      out[n] = s[93]
      crc = (crc >> 8) ~ t[(crc ~ 93 + 33) & 255]
      for _ = 1, 5 do
        local digit = rest // divisor
        rest = rest % divisor
        divisor = divisor // DIGITS
        n = n + 1
        out[n] = s[digit]
        crc = (crc >> 8) ~ t[(crc ~ digit + 33) & 255]
      end
    end
    if n > BUFFER_FULL then
      text = text .. concat(out, "", 1, n)
      n = 0
    end
  end
  local sum = hex(~crc)
  print("~" .. text .. concat(out, "", 1, n) .. "*" .. sum)
  return sum, total
end

-- Send the blocks first_block to last_block of a histogram, and an end frame.
-- counts_of(row, first, count) returns a table and the index in it (first + 1 if it gives none) of bin `first` of the
-- row; the next `count` bins are behind it. The table may be used again for the next call.
-- Block b is block b % per_row of row b // per_row, with per_row = ceil(n_bins / block_bins).
-- Cost: that of frame.block for every block.
function frame.histogram(counts_of, n_bins, first_block, last_block)
  local bins = frame.block_bins
  local per_row = (n_bins + bins - 1) // bins
  local lines, crc, total = 0, -1, 0
  for sequence = first_block, last_block do
    local row = sequence // per_row
    local first = (sequence - row * per_row) * bins
    local count = n_bins - first
    if count > bins then
      count = bins
    end
    local counts, from = counts_of(row, first, count)
    from = from or first + 1
    local sum, part = frame.block(sequence, row, first, counts, from, from + count - 1)
    if sum then
      lines, total = lines + 1, total + part
      crc = crc_update(crc, sum)
      if lines % BLOCKS_KEPT == 0 then
        collectgarbage()
      end
    end
  end
  -- 32 bits of the sum, with sign: what a 32-bit integer holds by itself, and a 64-bit one is brought to.
  total = total & 0xffffffff
  if total > 0x7fffffff then
    total = total - 0x7fffffff - 0x7fffffff - 2
  end
  last_end = first_block .. " " .. last_block .. " " .. lines .. " " .. hex(~crc) .. " " .. total
  frame.again()
end

-- Send the end frame once more: it was lost.
function frame.again()
  frame.send("E", 0, last_end)
end

return frame
