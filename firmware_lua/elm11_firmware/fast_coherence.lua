-- fast_coherence.lua: the fast pipeline's smoothing over scales, coherence and count, as `_BoxSums` and `bins` in fast.py.
local _ENV = nil -- from here a stray global is an error
local fast_coherence = {}

-- Whether a box (index 1 and up) has the weights 1, 2, 2, 2, 1: the usual one at dj = 1/4.
function fast_coherence.is_five(box)
    return #box == 5 and box[1] == 1 and box[2] == 2
end

-- Where two neighbouring quantities of a row with m series begin in its arrays: powers of series `first`, or products
-- with series `second` of the second kind.
local function place_of(m, first, second)
    if second == 0 then
        return 2 * first - 1
    end
    return 2 * m + 2 * ((first - 1) * m + second) - 1
end

-- The arrays of row j, two from each of two places (`place_of`), and first index and stride of the counted row's outputs in
-- them. Rows beyond the first and last scale are zeros.
local function of_row(state, part, row, j, a, b, c, d)
    local at, nothing = state.smoothed[j], state.nothing
    if not at then
        return nothing, nothing, nothing, nothing, 1, 0
    end
    local other, store = part.rows[j - part.first_row + 1], state.store
    local stride = other.n_outputs // row.n_counted
    local one, two = at + place_of(other.n_series, a, b), at + place_of(other.n_series, c, d)
    return store[one], store[one + 1], store[two], store[two + 1],
        row.first_counted * stride - other.first_output + 1, stride
end

-- Sums over the rows between the box's outer two, at the outputs of `row`, of four quantities, to t1 .. t4: in fours.
local function add_between(state, part, row, lowest, highest, t1, t2, t3, t4, a, b, c, d)
    local u1, u2, u3, u4, n, dn = of_row(state, part, row, -1, a, b, c, d)
    for j = highest - 1, lowest + 1, -4 do
        local c1, c2, c3, c4, l, dl = of_row(state, part, row, j, a, b, c, d)
        local d1, d2, d3, d4, m, dm = of_row(state, part, row, j - 1 > lowest and j - 1 or -1, a, b, c, d)
        local e1, e2, e3, e4, p, dp = of_row(state, part, row, j - 2 > lowest and j - 2 or -1, a, b, c, d)
        local f1, f2, f3, f4, q, dq = of_row(state, part, row, j - 3 > lowest and j - 3 or -1, a, b, c, d)
        for o = 1, #row.weights do
            t1[o], t2[o], t3[o] = u1[n] + c1[l] + d1[m] + e1[p] + f1[q], u2[n] + c2[l] + d2[m] + e2[p] + f2[q], u3[n] + c3[l] + d3[m] + e3[p] + f3[q]
            t4[o], n, l, m, p, q = u4[n] + c4[l] + d4[m] + e4[p] + f4[q], n + dn, l + dl, m + dm, p + dp, q + dq
        end
        u1, u2, u3, u4, n, dn = t1, t2, t3, t4, 1, 1
    end
end

-- Sums over the box's rows, at the outputs of `row`, of four quantities, to s1 .. s4. The rows between the outer two have one
-- weight. Their sums, state.totals[at + 1] and the next three, run on from the scale above where it counts the same outputs:
-- one row comes in, and the one that is outer now goes out. Else they are added anew, in fours.
local function sum_rows(state, part, row, s1, s2, s3, s4, a, b, c, d, at)
    local box, length, highest, totals = state.plan.box, #row.weights, row.j + state.plan.centre, state.totals
    local lowest = highest - #box + 1
    local outer, inner = box[1], box[2] or 0
    local a1, a2, a3, a4, i, di = of_row(state, part, row, highest, a, b, c, d)
    local b1, b2, b3, b4, k, dk = of_row(state, part, row, #box > 1 and lowest or -1, a, b, c, d)
    local t1, t2, t3, t4 = totals[at + 1], totals[at + 2], totals[at + 3], totals[at + 4]
    if state.runs_on then
        local c1, c2, c3, c4, l, dl = of_row(state, part, row, lowest + 1, a, b, c, d)
        for o = 1, length do
            local p, q, r, s = a1[i], a2[i], a3[i], a4[i] local x, y, z, w = t1[o] + c1[l] - p, t2[o] + c2[l] - q, t3[o] + c3[l] - r, t4[o] + c4[l] - s
            t1[o], t2[o], t3[o], t4[o], s1[o], s2[o], s3[o], s4[o], i, k, l = x, y, z, w, (p + b1[k]) * outer + x * inner, (q + b2[k]) * outer + y * inner, (r + b3[k]) * outer + z * inner, (s + b4[k]) * outer + w * inner, i + di, k + dk, l + dl
        end
        return
    end
    add_between(state, part, row, lowest, highest, t1, t2, t3, t4, a, b, c, d)
    for o = 1, length do
        s1[o], s2[o], s3[o], s4[o], i, k = (a1[i] + b1[k]) * outer + t1[o] * inner, (a2[i] + b2[k]) * outer + t2[o] * inner, (a3[i] + b3[k]) * outer + t3[o] * inner, (a4[i] + b4[k]) * outer + t4[o] * inner, i + di, k + dk
    end
end

-- The same for a box of five rows with weights 1, 2, 2, 2, 1, the usual one at dj = 1/4: anew in one loop, which is less work
-- than sums that run on.
local function sum_five(state, part, row, s1, s2, s3, s4, a, b, c, d)
    local j = row.j
    local a1, a2, a3, a4, i, di = of_row(state, part, row, j + 2, a, b, c, d)
    local b1, b2, b3, b4, k, dk = of_row(state, part, row, j + 1, a, b, c, d)
    local c1, c2, c3, c4, l, dl = of_row(state, part, row, j, a, b, c, d)
    local d1, d2, d3, d4, m, dm = of_row(state, part, row, j - 1, a, b, c, d)
    local e1, e2, e3, e4, n, dn = of_row(state, part, row, j - 2, a, b, c, d)
    for o = 1, #row.weights do
        s1[o], s2[o], s3[o] = a1[i] + e1[n] + (b1[k] + c1[l] + d1[m]) * 2, a2[i] + e2[n] + (b2[k] + c2[l] + d2[m]) * 2, a3[i] + e3[n] + (b3[k] + c3[l] + d3[m]) * 2
        s4[o], i, k, l, m, n = a4[i] + e4[n] + (b4[k] + c4[l] + d4[m]) * 2, i + di, k + dk, l + dl, m + dm, n + dn
    end
end

-- Powers of both kinds in the unit in which they are divided.
local function shift_powers(row, s1, s2)
    local shift_x, shift_y = row.box_shift_x, row.box_shift_y
    local half_x, half_y = 1 << shift_x >> 1, 1 << shift_y >> 1
    for o = 1, #row.weights do
        s1[o], s2[o] = s1[o] + half_x >> shift_x, s2[o] + half_y >> shift_y
    end
end

-- Coherence of one pair, from sums over the box, to the histogram.
local function count_pair(state, row, powers_x, powers_y, products_re, products_im)
    local counts, n_bins, weights = state.counts[row.j + 1], state.n_bins, row.weights
    local divisor, half_bin = row.box_divisor, n_bins >> 1
    for o = 1, #weights do
        local p, q, c, d = powers_x[o], powers_y[o], products_re[o] // divisor, products_im[o] // divisor if p | q > 32767 then
            while p > 32767 do
                p, c, d = p >> 2, c // 2, d // 2
            end
            while q > 32767 do
                q, c, d = q >> 2, c // 2, d // 2
            end
        end
        local unit = (p * q + half_bin) // n_bins local bin = (c * c + d * d) // (unit > 1 and unit or 1) bin = bin < n_bins and bin or n_bins - 1
        local piece, place = counts[(bin >> 11) + 1], (bin >> 1 & 1023) + 1 piece[place] = piece[place] + (weights[o] << ((bin & 1) << 4))
    end
end

-- Whether a row counts the same outputs of as many pairs as the next larger scale: sums can run on from there.
local function counts_as(row, above)
    return above and above.n_counted == row.n_counted and above.first_counted == row.first_counted and
        #above.weights == #row.weights and above.n_paired == row.n_paired
end

-- Sums over the rows of the box, coherence and count, for the outputs of one row of a part and all its pairs. state: of
-- fast.new.
-- Cost: at every output the box's sums, and for each pair three multiplications and five divisions. Creates no table.
function fast_coherence.count(state, part, row)
    local sum, sums, m, above = state.is_five and sum_five or sum_rows, state.sums, row.n_paired, state.above
    state.runs_on, state.above = #state.plan.box > 2 and counts_as(row, above), row
    local s1, s2, s3, s4 = sums[1], sums[2], sums[3], sums[4]
    if m == 1 then
        sum(state, part, row, s1, s2, s3, s4, 1, 0, 1, 1, 0)
        shift_powers(row, s1, s2)
        return count_pair(state, row, s1, s2, s3, s4)
    end
    local at = 0
    for number = 1, m, 2 do
        local p1, p2, p3, p4 = sums[2 * number + 3], sums[2 * number + 4], sums[2 * number + 5], sums[2 * number + 6]
        sum(state, part, row, p1, p2, p3, p4, number, 0, number + 1, 0, at)
        shift_powers(row, p1, p2)
        shift_powers(row, p3, p4)
        at = at + 4
    end
    for first = 1, m do
        local p = sums[2 * first + 3]
        for second = 1, m, 2 do
            sum(state, part, row, s1, s2, s3, s4, first, second, first, second + 1, at)
            count_pair(state, row, p, sums[2 * second + 4], s1, s2)
            count_pair(state, row, p, sums[2 * second + 6], s3, s4)
            at = at + 4
        end
    end
end

return fast_coherence
