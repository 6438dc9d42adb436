module slipway.dev/dev/tools/pause

go 1.25.0
