;; What stands below Go's runtime instead of an operating system. `filter build` links it to what the compiler has made, so that the module
;; imports nothing of WASI: no files, no arguments, no environment; output goes to the log, and time goes on by itself.
;;
;; It also has the memory that the gateway hands things over in, from which nothing of Go's is called. Go leaves the addresses from 4096 to
;; 12288 alone, which only browsers use:
;;   4096  facts of head hooks
;;   8192  a line of output that has not ended
;;  12032  texts of this file
(module
  (import "program" "memory" (memory 0))
  ;; Room in Go's own memory, where this file's is not enough.
  (import "program" "tollgate:room" (func $room (param $size i32) (result i32)))
  ;; What is not imported by the module is a function that gives zero.
  (import "tollgate:filter/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))
  (import "tollgate:filter/clock@0.1.0" "now" (func $now (result i64)))
  (import "tollgate:filter/random@0.1.0" "get-u64" (func $random (result i64)))

  (global $inbox (export "tollgate:inbox") i32 (i32.const 4096))

  (data (i32.const 12032) "the filter has ended itself, with os.Exit or log.Fatal")
  (data (i32.const 12096) "there are no random numbers here: write \"imports\": [\"random\"] into manifest.json, and use them in hooks only")

  ;; ---- what the gateway hands over ----

  ;; A stretch of memory that is taken from its beginning, and empty again when the next hook is called.
  (global $base (mut i32) (i32.const 0))
  (global $top (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))
  (global $answered (mut i32) (i32.const 0))

  (func (export "arena") (param $base i32) (param $size i32)
    (global.set $base (local.get $base))
    (global.set $top (local.get $base))
    (global.set $end (i32.add (local.get $base) (local.get $size))))

  (func $begin
    (if (global.get $answered) (then
      (global.set $top (global.get $base))
      (global.set $answered (i32.const 0)))))

  ;; The hook has its answer; what it was given is not looked at again.
  (func (export "answered") (global.set $answered (i32.const 1)))

  ;; What is taken after `mark` is given back by `release`.
  (func (export "mark") (result i32) (call $begin) (global.get $top))
  (func (export "release") (param $top i32) (global.set $top (local.get $top)))

  (func $cabi_realloc (export "cabi_realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (call $begin)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (if (i32.gt_u (local.get $size) (i32.sub (global.get $end) (local.get $at)))
      (then (local.set $at (call $room (local.get $size))))
      (else (global.set $top (i32.add (local.get $at) (local.get $size)))))
    (if (local.get $old) (then
      (memory.copy (local.get $at) (local.get $old)
        (select (local.get $had) (local.get $size) (i32.lt_u (local.get $had) (local.get $size))))))
    (local.get $at))

  ;; ---- output ----

  (global $length (mut i32) (i32.const 0))
  (global $level (mut i32) (i32.const 0))

  ;; Whether what has been written is how Go ends a program: it stays together, for the fault.
  (func $is_last (result i32)
    (local $start i32)
    (local.set $start (i32.load (i32.const 8192)))
    (i32.and (i32.ge_u (global.get $length) (i32.const 4))
      (i32.or (i32.eq (local.get $start) (i32.const 0x696e6170))   ;; pani
        (i32.or (i32.eq (local.get $start) (i32.const 0x61746166)) ;; fata
          (i32.eq (local.get $start) (i32.const 0x746e7572))))))   ;; runt

  (func $flush
    (if (global.get $length) (then
      (call $log (global.get $level) (i32.const 8192) (global.get $length) (i32.const 0) (i32.const 0))
      (global.set $length (i32.const 0)))))

  (func $put (param $byte i32)
    (if (i32.and (i32.eq (local.get $byte) (i32.const 10)) (i32.eqz (call $is_last)))
      (then (call $flush) (return)))
    (if (i32.ge_u (global.get $length) (i32.const 3840)) (then
      (if (call $is_last) (then (return)))
      (call $flush)))
    ;; The log takes UTF-8, and a line may be cut anywhere.
    (i32.store8 (i32.add (i32.const 8192) (global.get $length))
      (select (local.get $byte) (i32.const 63) (i32.lt_u (local.get $byte) (i32.const 128))))
    (global.set $length (i32.add (global.get $length) (i32.const 1))))

  (func (export "fd_write") (param $fd i32) (param $vector i32) (param $count i32) (param $written i32) (result i32)
    (local $total i32) (local $at i32) (local $end i32)
    (global.set $level (i32.mul (i32.const 2) (i32.eq (local.get $fd) (i32.const 1))))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $at (i32.load (local.get $vector)))
        (local.set $end (i32.add (local.get $at) (i32.load offset=4 (local.get $vector))))
        (local.set $total (i32.add (local.get $total) (i32.load offset=4 (local.get $vector))))
        (block $copied
          (loop $byte
            (br_if $copied (i32.eq (local.get $at) (local.get $end)))
            (call $put (i32.load8_u (local.get $at)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $byte)))
        (local.set $vector (i32.add (local.get $vector) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $written) (local.get $total))
    (i32.const 0))

  (func $fail (param $text i32) (param $length i32)
    (call $log (i32.const 0) (local.get $text) (local.get $length) (i32.const 0) (i32.const 0))
    unreachable)

  (func (export "proc_exit") (param $code i32)
    (if (i32.eqz (call $is_last)) (then (call $flush) (call $fail (i32.const 12032) (i32.const 54))))
    (global.set $level (i32.const 0))
    (call $flush)
    unreachable)

  ;; How Go ends a library, for which it has written why: takes the place of the body of `runtime.abort`.
  (func (export "abort")
    (global.set $level (i32.const 0))
    (call $flush)
    unreachable)

  ;; ---- time ----

  ;; A clock that goes on by a microsecond whenever it is looked at: what measures with it comes to an end, and nothing is learned from it.
  (global $time (mut i64) (i64.const 1))

  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $result i32) (result i32)
    (local $now i64)
    (if (i32.eqz (local.get $clock)) (then (local.set $now (call $now))))
    (if (i64.eqz (local.get $now)) (then
      (global.set $time (i64.add (global.get $time) (i64.const 1000)))
      (local.set $now (global.get $time))))
    (i64.store (local.get $result) (local.get $now))
    (i32.const 0))

  ;; Nothing comes from outside, so whoever waits has waited at once.
  (func (export "poll_oneoff") (param $waits i32) (param $events i32) (param $count i32) (param $happened i32) (result i32)
    (local $number i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (if (i32.eqz (i32.load8_u offset=8 (local.get $waits))) (then
          (if (i32.eqz (i32.and (i32.load16_u offset=40 (local.get $waits)) (i32.const 1))) (then
            (global.set $time (i64.add (global.get $time) (i64.load offset=24 (local.get $waits))))))
          (i64.store (local.get $events) (i64.load (local.get $waits)))
          (i64.store offset=8 (local.get $events) (i64.const 0))
          (local.set $events (i32.add (local.get $events) (i32.const 32)))
          (local.set $number (i32.add (local.get $number) (i32.const 1)))))
        (local.set $waits (i32.add (local.get $waits) (i32.const 48)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $happened) (local.get $number))
    (i32.const 0))

  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; ---- chance ----

  ;; The seeds that the runtime takes before there is a filter are the same in every instance. After that there are true numbers or none.
  (global $seed (mut i64) (i64.const 0x9e3779b97f4a7c15))

  (func $eight (result i64)
    (local $number i64)
    (if (i32.eqz (global.get $base)) (then
      (global.set $seed (i64.add (i64.mul (global.get $seed) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
      (return (i64.xor (global.get $seed) (i64.shr_u (global.get $seed) (i64.const 29))))))
    (local.set $number (call $random))
    (if (i64.eqz (local.get $number)) (then (call $fail (i32.const 12096) (i32.const 108))))
    (local.get $number))

  (func (export "random_get") (param $at i32) (param $length i32) (result i32)
    (local $number i64) (local $left i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (if (i32.eqz (local.get $left)) (then
          (local.set $number (call $eight))
          (local.set $left (i32.const 8))))
        (i64.store8 (local.get $at) (local.get $number))
        (local.set $number (i64.shr_u (local.get $number) (i64.const 8)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; ---- arguments and environment, of which there are none ----

  (func (export "args_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "environ_get") (param i32 i32) (result i32) (i32.const 0))
  (func $none (export "args_sizes_get") (export "environ_sizes_get") (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $size) (i32.const 0))
    (i32.const 0)))
