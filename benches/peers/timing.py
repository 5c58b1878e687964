"""How peers are timed: as `benches/annotate.rs` times the library."""

import statistics
import time


def timed(call, seconds, least):
    """Seconds of calls with 0, 1, 2 and so on, after some to warm up."""
    for i in range(min(least, 5)):
        call(i)
    taken, start = [], time.perf_counter()
    while len(taken) < least or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        call(len(taken))
        taken.append(time.perf_counter() - before)
    return taken


def figures(tokens, taken):
    ordered = sorted(taken)
    return {
        "tokens": tokens,
        "p50_ms": statistics.median(taken) * 1e3,
        "p99_ms": ordered[round((len(ordered) - 1) * 0.99)] * 1e3,
        "tokens_per_s": tokens * len(taken) / sum(taken),
    }


def unit():
    """Seconds of a padded bidirectional LSTM from 200 to 64 over 32 x 30 tokens, on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    lstm, x = torch.nn.LSTM(200, 64, batch_first=True, bidirectional=True), torch.randn(32, 30, 200)
    with torch.inference_mode():
        taken = timed(lambda _: lstm(x), 0.7, 20)
    torch.set_num_threads(threads)
    return statistics.median(taken)
