"""What an error leads to."""

from collections.abc import Iterator


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error with its causes, its contexts, suppressed ones too, and the members of groups, each once."""
    seen: set[int] = set()
    found: list[BaseException | None] = [error]
    while found:
        each = found.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            found += [each.__context__, each.__cause__, *getattr(each, "exceptions", ())]
