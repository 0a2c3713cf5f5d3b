-- fast_series.lua: the fast pipeline's noise, its spectrum and that of its wavelet transforms, as `innovations`, `spectra` and
-- the first half of `wavelet_transform` in fast.py.
local _ENV = nil -- from here a stray global is an error
local fast_series = {BLOCK_LENGTH = 128} -- words drawn from one state

local BLOCK_LENGTH = fast_series.BLOCK_LENGTH
local SERIES = 0x40000000 -- number of the first random series

-- The innovations of a part's `number`-th series of both kinds, at their places for the transform, to re and im,
-- index 1 .. part.n. state: of fast.new. simulation: 0 .. 2^31 - 1.
-- Cost: a word, two sums and, of red noise, four multiplications and divisions for each sample. Creates no table.
function fast_series.draw(state, part, simulation, number)
    local re, im, deviates = state.re[number], state.im[number], state.deviates
    local places = state.transform.places[part.n]
    local rednoise, words = state.modules.rednoise, state.words
    local n_samples, n = part.n_samples, part.n
    local lag_x, lag_y = part.lag1[1], part.lag1[2]
    local is_red = lag_x ~= 0 or lag_y ~= 0
    local series = SERIES + (part.number << 16) + (number - 1)
    local x, y = 0, 0
    for block = 0, (n_samples - 1) // BLOCK_LENGTH do
        local start = block * BLOCK_LENGTH
        local count = n_samples - start
        count = count < BLOCK_LENGTH and count or BLOCK_LENGTH
        rednoise.draw(words, count,
            rednoise.stream_state(state.seed_low, state.seed_high, simulation, series, block))
        for k = 1, count do
            local word = words[k]
            local e = deviates[word & 255] + deviates[word >> 8 & 255]
            local f = deviates[word >> 16 & 255] + deviates[word >> 24]
            local i = places[start + k]
            re[i], im[i] = e, f
            if is_red then
                if start + k == 1 then
                    x, y = e * part.start_gain[1] // 4096, f * part.start_gain[2] // 4096
                    re[i], im[i] = x, y
                else
                    x, y = x * lag_x // 4096 + e, y * lag_y // 4096 + f
                end
            end
        end
    end
    for t = n_samples + 1, n do
        local i = places[t]
        re[i], im[i] = 0, 0
    end
    if is_red then
        local i = places[n_samples % n + 1]
        re[i], im[i] = re[i] + -(x * lag_x) // 4096, im[i] + -(y * lag_y) // 4096
    end
end

-- For the transform of x + i y: 2 X(f), times the noise's response, to the place of frequency f, 2 Y(f) to that of -f, for
-- the frequencies that the part's filters use. Both are real at n / 2: re keeps X there, and state.nyquist Y.
-- number: of the series, index 1 .. part.n_series. Cost: four sums for each frequency, and of red noise eight
-- multiplications and four divisions. Creates no table.
function fast_series.separate(state, part, number)
    local re, im, n = state.re[number], state.im[number], part.n
    local lowest, highest = part.lowest_frequency, part.highest_frequency
    local noise_x, noise_y = part.noise[1], part.noise[2]
    if highest == n // 2 then
        local i, at = highest + 1, highest - lowest + 1
        local x, y = 2 * re[i], 2 * im[i]
        if noise_x then
            x, y = x * ((noise_x[at] >> 12) - 2048) // 2048, y * ((noise_y[at] >> 12) - 2048) // 2048
        end
        re[i], im[i], state.nyquist[number] = x, 0, y
        highest = highest - 1
    end
    local j = n + 1 - lowest
    if not noise_x then
        for i = lowest + 1, highest + 1 do
            local r, s, u, v = re[i], im[i], re[j], im[j]
            re[i], im[i], re[j], im[j], j = r + u, s - v, s + v, u - r, j - 1
        end
        return
    end
    local at = 1
    for i = lowest + 1, highest + 1 do
        local r, s, u, v, a, c = re[i], im[i], re[j], im[j], noise_x[at], noise_y[at]
        local b, d = (a & 4095) - 2048, (c & 4095) - 2048
        r, s, u, v, a, c = r + u, s - v, s + v, u - r, (a >> 12) - 2048, (c >> 12) - 2048
        re[i], im[i], at = (r * a - s * b) // 2048, (r * b + s * a) // 2048, at + 1
        re[j], im[j], j = (u * c - v * d) // 2048, (u * d + v * c) // 2048, j - 1
    end
end

-- Both spectra of a series of either kind times the row's filter, folded onto its grid in bit-reversed order.
-- state: of fast.new. part, row: of its plan. number: of the series, index 1 .. row.n_series.
-- Cost: four multiplications and divisions for each frequency. Creates no table.
function fast_series.filter(state, part, row, number)
    local re, im, n = state.re[number], state.im[number], row.n
    local w1_re, w1_im, w2_re, w2_im = state.w1_re[number], state.w1_im[number], state.w2_re[number], state.w2_im[number]
    local places, filter = state.transform.places[n], row.filter
    local divisor_x, divisor_y = part.filter_divisor_x, part.filter_divisor_y
    local first, count = row.first_frequency, row.n_frequencies
    local f = first & n - 1
    local j = part.n + 1 - first
    local last = count
    local has_nyquist = first + count - 1 == part.n // 2
    if has_nyquist then
        last = count - 1
    end
    local i, k = first + 1, 1
    while k <= last do
        -- Up to the grid's end, then again from its beginning.
        local stop = k + n - 1 - f
        for at = k, stop < last and stop or last do
            f = f + 1
            local weight, place = filter[at], places[f]
            w1_re[place], w1_im[place], i = re[i] * weight // divisor_x, im[i] * weight // divisor_x, i + 1
            w2_re[place], w2_im[place], j = re[j] * weight // divisor_y, im[j] * weight // divisor_y, j - 1
        end
        k = stop + 1
        if f == n then
            f = 0
        end
    end
    if has_nyquist then
        f = f + 1
        local weight, place = filter[count], places[f]
        w1_re[place], w1_im[place] = re[i] * weight // divisor_x, 0
        w2_re[place], w2_im[place] = state.nyquist[number] * weight // divisor_y, 0
        if f == n then
            f = 0
        end
    end
    for _ = count + 1, n do
        f = f + 1
        local place = places[f]
        w1_re[place], w1_im[place], w2_re[place], w2_im[place] = 0, 0, 0, 0
        if f == n then
            f = 0
        end
    end
end

return fast_series
