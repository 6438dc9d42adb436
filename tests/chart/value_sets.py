"""Values with which the chart must render objects that a cluster accepts."""

from typing import Any

EXTERNAL_STORE: dict[str, Any] = {
    "enabled": False,
    "external": {
        "uri": "s3://models/slipway",
        "endpoint": "https://s3.example.com",
        "region": "eu-central-1",
        "existingSecret": "bucket-credentials",
        "sts": {"roleArn": "arn:aws:iam::123456789012:role/slipway"},
    },
}
EVERYTHING: dict[str, Any] = {
    "commonLabels": {"team": "ml"},
    "imagePullSecrets": [{"name": "registry"}],
    "images": {
        "registry": "registry.example.com/ml/",
        "pullPolicy": "Always",
        "operator": {"digest": f"sha256:{'a' * 64}"},
        "trainer": {"tag": "1.2.3-cuda"},
        "server": {"registry": "other.example.com"},
    },
    "operator": {
        "replicas": 2,
        "workers": 8,
        "logLevel": "DEBUG",
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "priorityClassName": "platform",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "platform", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
            }
        ],
        "podLabels": {"part": "control"},
        "podAnnotations": {"example.com/note": "one"},
        "deploymentAnnotations": {"example.com/owner": "platform"},
        "podDisruptionBudget": {"minAvailable": 1},
        "networkPolicy": {
            "enabled": True,
            "metricsFrom": [{"namespaceSelector": {}}],
            "extraEgress": [{"to": [{"podSelector": {}}], "ports": [{"port": 9090}]}],
        },
        "revisionHistoryLimit": 1,
        "volumes": [{"name": "ca", "configMap": {"name": "authorities"}}],
        "volumeMounts": [{"name": "ca", "mountPath": "/etc/ssl/certs", "readOnly": True}],
    },
    "podSecurityContext": {"fsGroupChangePolicy": "Always"},
    "extraObjects": [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "{{ .Release.Name }}-more",
                "namespace": "{{ .Release.Namespace }}",
                "labels": {
                    "app.kubernetes.io/part-of": "slipway",
                    "app.kubernetes.io/instance": "slipway",
                    "app.kubernetes.io/managed-by": "Helm",
                },
            },
        }
    ],
    "serviceAccount": {"name": "ship", "annotations": {"example.com/role": "builder"}},
    "store": {
        "priorityClassName": "platform",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "platform", "operator": "Exists"}],
        "persistence": {
            "storageClass": "fast",
            "size": "100Gi",
            "accessModes": ["ReadWriteOncePod"],
            "annotations": {"example.com/backup": "daily"},
        },
        "networkPolicy": {"enabled": True},
        "tls": {"secretName": "store-tls", "plainPort": False},
    },
    "metrics": {"podMonitor": {"labels": {"prometheus": "main"}}},
}
VALUE_SETS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything set": EVERYTHING,
    "some namespaces": {"watchNamespaces": ["default", "kube-public"]},
    "external bucket": {"store": EXTERNAL_STORE},
    "own credentials and claim": {
        "store": {"existingSecret": "mine", "persistence": {"existingClaim": "big"}}
    },
    "a trial": {
        "crds": {"keep": False},
        "operator": {"leaderElection": False},
        "store": {"persistence": {"enabled": False}, "tls": {"mode": "Disabled"}},
    },
}
POD_MONITOR = "monitoring.coreos.com/v1/PodMonitor"
