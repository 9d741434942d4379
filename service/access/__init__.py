"""Who may ask: API keys, names of this host, pages of other origins, proxies."""
