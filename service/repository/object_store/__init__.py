"""Models in an object store: a mirror of it in a folder, and what is published into it.

A folder that mirrors a store says so in ``.mirror/source``. ``Store.publish``, ``Store.prune`` and
``change_policy`` write through to it: users of the folder need not know where its models come
from. In the store everything lies as it does in a folder of models (``model_store``).
"""
