-- fast_smoothing.lua: products of the fast pipeline's wavelet transforms, smoothed in time, as `powers` and `smooth` in
-- fast.py.
local _ENV = nil -- from here a stray global is an error
local fast_smoothing = {}

local function clamped(value, limit)
    return value < -limit and -limit or value >= limit and limit - 1 or value
end

-- Transforms of series `number` at grid point i (index), between their clamps; kept so for the products of its pairs.
local function put_between_clamps(state, row, number, i)
    local w1_re, w1_im, w2_re, w2_im = state.w1_re[number], state.w1_im[number], state.w2_re[number], state.w2_im[number]
    w1_re[i], w1_im[i] = clamped(w1_re[i], row.clamp_x), clamped(w1_im[i], row.clamp_x)
    w2_re[i], w2_im[i] = clamped(w2_re[i], row.clamp_y), clamped(w2_im[i], row.clamp_y)
    return w1_re[i], w1_im[i], w2_re[i], w2_im[i]
end

-- The powers of series `number` of either kind, at the row's grid points, to state.products[at] and the next.
local function multiply_powers(state, row, number, at)
    local w1_re, w1_im, w2_re, w2_im = state.w1_re[number], state.w1_im[number], state.w2_re[number], state.w2_im[number]
    local p1, p2 = state.products[at], state.products[at + 1]
    local n, j, left = row.n, #row.kernel + 1, row.n_points
    local x, y, shift_x, shift_y = row.clamp_x, row.clamp_y, row.power_shift_x, row.power_shift_y
    local outside_x, outside_y, half_x, half_y = -2 * x, -2 * y, 1 << shift_x >> 1, 1 << shift_y >> 1
    local i = row.first_point % n + 1
    while left > 0 do -- up to the period's end, then from its beginning
        local count = left < n + 1 - i and left or n + 1 - i
        local k = j - i
        for i = i, i + count - 1 do
            local r, s, u, v = w1_re[i], w1_im[i], w2_re[i], w2_im[i] if (r + x | s + x) & outside_x | (u + y | v + y) & outside_y ~= 0 then
                r, s, u, v = put_between_clamps(state, row, number, i)
            end
            p1[i + k], p2[i + k] = r * r + s * s + half_x >> shift_x, u * u + v * v + half_y >> shift_y
        end
        i, j, left = 1, j + count, left - count
    end
end

-- Both parts of the product of the first pair, between their clamps.
local function multiply_one(state, row)
    local w1_re, w1_im, w2_re, w2_im = state.w1_re[1], state.w1_im[1], state.w2_re[1], state.w2_im[1]
    local re, im = state.products[3], state.products[4]
    local n, guard, i, divisor = row.n, #row.kernel, row.first_point % row.n, row.power_divisor
    local half = divisor >> 1
    for j = guard + 1, guard + row.n_points do
        i = i < n and i + 1 or 1
        local r, s, u, v = w1_re[i], w1_im[i], w2_re[i], w2_im[i]
        re[j], im[j] = (r * u + s * v + half) // divisor, (s * u - r * v + half) // divisor
    end
end

-- The products of series `first` of the first kind with series `second` and the next of the second kind.
local function multiply_pairs(state, row, first, second)
    local w_re, w_im, next = state.w1_re[first], state.w1_im[first], second + 1
    local u_re, u_im, v_re, v_im = state.w2_re[second], state.w2_im[second], state.w2_re[next], state.w2_im[next]
    local p1, p2, p3, p4 = state.products[1], state.products[2], state.products[3], state.products[4]
    local n, j, left, e = row.n, #row.kernel + 1, row.n_points, row.power_divisor
    local h, i = e >> 1, row.first_point % row.n + 1
    while left > 0 do -- up to the period's end, then from its beginning
        local count = left < n + 1 - i and left or n + 1 - i
        local k = j - i
        for i = i, i + count - 1 do
            local j, r, s, u, v, x, y = i + k, w_re[i], w_im[i], u_re[i], u_im[i], v_re[i], v_im[i]
            p1[j], p2[j], p3[j], p4[j] = (r * u + s * v + h) // e, (s * u - r * v + h) // e, (r * x + s * y + h) // e, (s * x - r * y + h) // e
        end
        i, j, left = 1, j + count, left - count
    end
end

-- Weights at the ends of the series; beyond them zeros for the kernel, or what is there once around the period.
local function finish_ends(state, part, row)
    local products = state.products
    local p1, p2, p3, p4 = products[1], products[2], products[3], products[4]
    local n, guard, count = row.n, #row.kernel, row.n_points
    for i = 1, guard do
        local j = guard + count + i
        p1[i], p2[i], p3[i], p4[i], p1[j], p2[j], p3[j], p4[j] = 0, 0, 0, 0, 0, 0, 0, 0
    end
    local weight = row.first_weight
    for j = guard + 1, guard + count, count - 1 do -- the first and the last
        p1[j], p2[j] = (p1[j] * weight + 128) // 256, (p2[j] * weight + 128) // 256
        p3[j], p4[j], weight = (p3[j] * weight + 128) // 256, (p4[j] * weight + 128) // 256, row.last_weight
    end
    if part.wraps then -- beyond the ends is, once around the period, the other end
        for distance = 1, guard do
            if n - distance < count then
                local j, from = guard + 1 - distance, guard + 1 + n - distance
                p1[j], p2[j], p3[j], p4[j] = p1[from], p2[from], p3[from], p4[from]
            end
            if count + distance > n then
                local j, from = guard + count + distance, guard + count + distance - n
                p1[j], p2[j], p3[j], p4[j] = p1[from], p2[from], p3[from], p4[from]
            end
        end
    end
end

-- Outputs `from`, from + stride, ... of a row: sums around grid points centre, centre + step, ... d1 .. d4: divisors.
local function smooth_whole(codelets, products, row, o1, o2, o3, o4, d1, d2, d3, d4, from, stride, centre, step)
    local p1, p2, p3, p4 = products[1], products[2], products[3], products[4]
    local kernel = row.kernel
    local reach, first = #kernel - 1, kernel[1]
    local codelet = codelets[reach]
    if codelet then
        return codelet(p1, p2, p3, p4, kernel, o1, o2, o3, o4, d1, d2, d3, d4, from, row.length, stride, centre, step)
    end
    for o = from, row.length, stride do
        local a, b, c, d = p1[centre] * first, p2[centre] * first, p3[centre] * first, p4[centre] * first
        local low, high, weight = centre, centre, 0
        for m = 2, reach + 1 do
            low, high, weight = low - 1, high + 1, kernel[m]
            a, b = a + (p1[low] + p1[high]) * weight, b + (p2[low] + p2[high]) * weight
            c, d = c + (p3[low] + p3[high]) * weight, d + (p4[low] + p4[high]) * weight
        end
        o1[o], o2[o], o3[o], o4[o] = a // d1, b // d2, c // d3, d // d4
        centre = centre + step
    end
end

-- Outputs between grid points: half a step after `centre`, centre + 1, ...
local function smooth_half(products, row, o1, o2, o3, o4, d1, d2, d3, d4, from, stride, centre)
    local p1, p2, p3, p4 = products[1], products[2], products[3], products[4]
    local kernel = row.half_kernel
    local reach = #kernel
    for o = from, row.length, stride do
        local a, b, c, d = 0, 0, 0, 0
        local low, high, weight = centre + 1, centre, 0
        for m = 1, reach do
            low, high, weight = low - 1, high + 1, kernel[m]
            a, b = a + (p1[low] + p1[high]) * weight, b + (p2[low] + p2[high]) * weight
            c, d = c + (p3[low] + p3[high]) * weight, d + (p4[low] + p4[high]) * weight
        end
        o1[o], o2[o], o3[o], o4[o] = a // d1, b // d2, c // d3, d // d4
        centre = centre + 1
    end
end

-- state.products, smoothed in time at the row's outputs, to four arrays.
local function smooth_four(state, part, row, o1, o2, o3, o4, d1, d2, d3, d4)
    finish_ends(state, part, row)
    local products, guard, first = state.products, #row.kernel, row.first_output
    local codelets = state.modules.fft_codelets.smooth
    if row.n_outputs > row.n then -- outputs on grid points and between them
        local odd = first % 2
        smooth_whole(codelets, products, row, o1, o2, o3, o4, d1, d2, d3, d4, 1 + odd, 2,
            (first + odd) // 2 - row.first_point + guard + 1, 1)
        smooth_half(products, row, o1, o2, o3, o4, d1, d2, d3, d4, 2 - odd, 2,
            (first + 1 - odd) // 2 - row.first_point + guard + 1)
    else
        local step = row.n // row.n_outputs
        smooth_whole(codelets, products, row, o1, o2, o3, o4, d1, d2, d3, d4, 1, 1, first * step - row.first_point + guard + 1,
            step)
    end
end

-- Products of the row's transforms (state.w1_re and so on), smoothed at its outputs, to arrays out[at + 1], ...: |W1|^2 and
-- |W2|^2 of the first series of either kind, of the second ones, ...; then real and imaginary part of W1 W2*, for every
-- series of the first kind with all of the second. Each has index 1 .. row.length. state: of fast.new.
-- Cost: for each pair four multiplications at every grid point, and two for each weight of the kernel at every output.
function fast_smoothing.smooth(state, part, row, out, at)
    local x, y, cross, m = row.sum_divisor_x, row.sum_divisor_y, row.sum_divisor, row.n_series
    if m == 1 then
        multiply_powers(state, row, 1, 1)
        multiply_one(state, row)
        return smooth_four(state, part, row, out[at + 1], out[at + 2], out[at + 3], out[at + 4], x, y, cross, cross)
    end
    for number = 1, m, 2 do
        multiply_powers(state, row, number, 1)
        multiply_powers(state, row, number + 1, 3)
        smooth_four(state, part, row, out[at + 1], out[at + 2], out[at + 3], out[at + 4], x, y, x, y)
        at = at + 4
    end
    for first = 1, m do
        for second = 1, m, 2 do
            multiply_pairs(state, row, first, second)
            smooth_four(state, part, row, out[at + 1], out[at + 2], out[at + 3], out[at + 4], cross, cross, cross, cross)
            at = at + 4
        end
    end
end

return fast_smoothing
