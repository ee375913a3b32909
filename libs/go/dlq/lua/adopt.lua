-- ARGV: now (milliseconds), letters at most, bytes at most. Takes the oldest of the inbox into the index, byte for byte.
-- Answers {adopted, left in the inbox}. What has no usable id is kept as bad-SHA1, a second letter of one id as ID~HASH.
local now, most, bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

-- RFC 3339, as Go and Python write it, without a zone too; nil for what can't be the time of a letter
local function milliseconds_of(text)
  if type(text) ~= 'string' then return nil end
  local y, mo, d, h, mi, s, fraction, zone =
    text:match('^(%d%d%d%d)-(%d%d)-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)(%.?%d*)(.*)$')
  if not y then return nil end
  local sign, zh, zm = zone:match('^([+-])(%d%d):?(%d%d)$')
  if not sign and zone ~= 'Z' and zone ~= 'z' and zone ~= '' then return nil end
  y, mo = tonumber(y), tonumber(mo)
  if mo <= 2 then y, mo = y - 1, mo + 12 end -- days since 1970-01-01, the year starting in March
  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
    + math.floor((153 * (mo - 3) + 2) / 5) + tonumber(d) - 719469
  local seconds = days * 86400 + tonumber(h) * 3600 + tonumber(mi) * 60 + tonumber(s)
  if sign then seconds = seconds - tonumber(sign .. '1') * (tonumber(zh) * 3600 + tonumber(zm) * 60) end
  return seconds * 1000 + math.floor((tonumber('0' .. fraction) or 0) * 1000)
end

local adopted = 0
while adopted < most and bytes > 0 do
  local body = call('LINDEX', INBOX, -1)
  if not body then break end
  local read, letter = pcall(cjson.decode, body) -- to look at id and created_at only; what is stored is the body
  local id, age, reason = nil, nil, 'adopted'
  if read and type(letter) == 'table' then id, age = letter.id, milliseconds_of(letter.created_at) end
  if type(id) ~= 'string' or id == '' or #id > 200 or id:find('[^!-~]') then
    id, reason = 'bad-' .. redis.sha1hex(body), 'bad'
  end
  local here = call('HGET', BODIES, id)
  if here and here ~= body then
    id = id .. '~' .. redis.sha1hex(body):sub(1, 8)
    here = call('HGET', BODIES, id)
  end
  if not here then
    if not age or age > now or age < 946684800000 then age = now end -- Go's zero time, a clock ahead
    file_letter(id, body, age, reason, {})
  end
  call('RPOP', INBOX) -- after it is filed: an error above leaves it where it was
  adopted, bytes = adopted + 1, bytes - #body
end
return {adopted, call('LLEN', INBOX)}
