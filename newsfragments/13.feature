docs/service.md lists every metric, and every cause of a refusal with its meaning; the status page names close codes as their registry does.
