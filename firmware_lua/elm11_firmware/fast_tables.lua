-- fast_tables.lua: the upper half of the deviates of one byte, elm11_host_ref.fast.noise.deviate_table()[128:], which
-- says how they were chosen; the lower half is its mirror image. A test compares the two.
local _ENV = nil -- from here a stray global is an error

return {
    0, 1, 2, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8, 8, 9, 10, 10, 11, 12, 12,
    13, 13, 14, 15, 15, 16, 17, 17, 18, 19, 19, 20, 21, 21, 22, 23, 23, 24, 25, 25,
    26, 27, 27, 28, 29, 29, 30, 31, 31, 32, 33, 33, 34, 35, 36, 36, 37, 38, 39, 39,
    40, 41, 42, 42, 43, 44, 45, 46, 46, 47, 48, 49, 50, 51, 51, 52, 53, 54, 55, 56,
    57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 72, 73, 74, 75, 76, 78,
    79, 81, 82, 83, 85, 86, 88, 90, 92, 93, 95, 97, 99, 101, 104, 106, 109, 112, 115, 118,
    122, 126, 131, 136, 143, 151, 164, 189,
}
