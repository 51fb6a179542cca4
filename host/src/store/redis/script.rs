//! What takes more than one command runs on the server as a script, so that nothing comes between. Scripts are called by their
//! digest; a server that does not know one, as after a restart, is sent it.

use redis::Script;

/// All scripts. `KEYS[1]` is the key; times to live are in milliseconds, 0 is for good.
pub(super) struct Scripts {
    /// Whether there should be a value, the expected one, the new one, its time to live: 1 if it was swapped.
    pub(super) swap: Script,
    /// By how much, the time to live: the count, as text, since numbers of scripts have 53 bits.
    pub(super) increment: Script,
    /// The token, the time to live: 1 if the lease was this holder's.
    pub(super) renew: Script,
    /// The token: 1 if the lease was this holder's.
    pub(super) release: Script,
    /// Interval, tolerance and increment in microseconds: whether it is allowed, and microseconds of debt and of waiting. By
    /// the server's clock, as those of gateways differ.
    pub(super) take: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            swap: Script::new(SWAP),
            increment: Script::new(INCREMENT),
            renew: Script::new(RENEW),
            release: Script::new(RELEASE),
            take: Script::new(TAKE),
        }
    }
}

const SWAP: &str = "
local there = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if there ~= ARGV[2] then return 0 end
elseif there then
  return 0
end
if ARGV[4] == '0' then
  redis.call('SET', KEYS[1], ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
return 1";

const INCREMENT: &str = "
local is_new = redis.call('EXISTS', KEYS[1]) == 0
redis.call('INCRBY', KEYS[1], ARGV[1])
if is_new and ARGV[2] ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('GET', KEYS[1])";

const RENEW: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

const RELEASE: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

const TAKE: &str = "
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local tolerance = tonumber(ARGV[1])
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local next = arrival + tonumber(ARGV[2])
local wait = next - tolerance - now
if wait > 0 then
  return {0, math.ceil(arrival - now), math.ceil(wait)}
end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.max(math.ceil((next - now) / 1000), 1))
return {1, math.ceil(next - now), 0}";
