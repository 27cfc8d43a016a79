"""Training tasks by name: `python -m brainfn train NAME`.

`brainfn.tasks.TASKS` holds them. Each builds a network, its data and a training step, which
[`brainfn.learn.fit`][] runs:

```python
task = bf.tasks.TASKS["digits"]
ready = task.build(epochs=5, key=jax.random.key(0))
done = bf.learn.fit(ready.step, ready.state, ready.batches, epochs=5, evaluate=ready.evaluate)
```
"""

from ._entry import Prepared as Prepared, Task as Task, TaskVariant as TaskVariant
from ._images import DIGITS as _DIGITS, FASHION_MNIST as _FASHION_MNIST

TASKS: dict[str, Task] = {task.name: task for task in (_FASHION_MNIST, _DIGITS)}
