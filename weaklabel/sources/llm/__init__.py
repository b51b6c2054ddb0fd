"""LLM prompts as sources: they vote, may abstain, are sometimes wrong, and never invent evidence.

    prompts (``registered``) -> requests -> cache, else bought (``session``, ``buyer``) -> answers
    -> parsed, aligned (``forms``, ``parse``, ``align``) -> one soft vote a source and document

Every call ends in a status (``status``); only ok and abstained are evidence. Answers are kept raw
and by content (``cache``), so that a rerun re-reads and never re-buys. ``budget`` holds the worst
case before a call; ``pace`` lets calls start; ``batch`` sends them through the Batch API instead;
``plan`` says what it would cost; ``injection`` finds documents that read like instructions.
"""
