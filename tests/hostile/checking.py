"""What counts as survived: a right answer, or a refusal that names the file."""

import time


def check(function, *, names=(), allowed=(ValueError,), seconds=None, refused=False):
    """Call a function; return None if it survived, else what went wrong.

    Args:
        function: returns None where all is well, or a text.
        names: texts of which one has to be in the message of a refusal.
        allowed: kinds of errors that are refusals.
        seconds: that it may take of a processor, whatever else the machine does.
        refused: an answer is wrong, only a refusal is right.
    """
    begin = time.process_time()
    try:
        answer = function()
    except allowed as error:
        answer, message = None, str(error)
        if names and not any(str(name) in message for name in names):
            answer = f"a refusal that does not name {names[0]}: {type(error).__name__}: {message[:300]}"
    else:
        answer = answer or ("taken, not refused" if refused else None)
    took = time.process_time() - begin
    return answer or (f"took {took:.1f} s" if seconds and took > seconds else None)
