"""What somebody may write who has no right but to the two kinds, by what it is meant to reach."""

from dataclasses import dataclass
from typing import Any

from tests.contract.operator import play
from tests.harness import Object

SECRET = "slipway-store"


@dataclass(frozen=True)
class Attack:
    """What is written, in which ``{mine}`` and ``{theirs}`` stand for the two buckets.

    ``answer`` is the reason of a condition, or words of the API server's own refusal.
    """

    kind: str
    spec: Object
    answer: str


def job(answer: str, **spec: Any) -> Attack:
    return Attack("TrainingJob", spec, answer)


def deployment(answer: str, **spec: Any) -> Attack:
    return Attack("ModelDeployment", spec, answer)


def reads(uri: str, answer: str = "ForbiddenUri", **more: str) -> Attack:
    return job(answer, inputs=[{"name": "all", "uri": uri, **more}])


def archive(uri: str, answer: str = "ForbiddenUri") -> Attack:
    return job(answer, source={"archive": {"uri": uri}})


def resumes(uri: str, answer: str = "ForbiddenUri") -> Attack:
    return job(answer, checkpoint={"uri": uri})


def serves(uri: str, answer: str = "ForbiddenUri") -> Attack:
    return deployment(answer, model={"uri": uri, "sha256": play.SHA})


FIELDS = {"input": reads, "archive": archive, "checkpoint": resumes, "model": serves}
ELSEWHERE = {
    "the bucket of another namespace": "s3://{theirs}/models/victim/iris/a.mar",
    "another namespace's folder of 0.2.0": "s3://slipway/outputs/victim/iris/a.mar",
    "the claims of namespaces": "s3://slipway/namespaces/victim/a.mar",
}
TRICKS = {
    "every namespace at once": "s3://slipway/",
    "a bucket in capitals": "s3://SLIPWAY/outputs/victim/",
    "encoded dots": "s3://{mine}/outputs/attacker/%2e%2e/%2e%2e/{theirs}/",
    "an encoded slash": "s3://{mine}/outputs/attacker%2f..%2f..%2f{theirs}/",
    "an empty part": "s3://slipway//outputs/attacker/",
    "a pattern": "s3://slipway/outputs/*/",
    "a name that begins alike": "s3://slipway/outputs/attacker-2/",
    "the shared folder left again": "s3://slipway/shared/../outputs/victim/",
}
URIS = {
    f"{field}: {name}": make(uri)
    for field, make in FIELDS.items()
    for name, uri in ELSEWHERE.items()
} | {f"input: {name}": reads(uri) for name, uri in TRICKS.items()}
NAMED = {"secretKeyRef": {"name": SECRET, "key": "AWS_SECRET_ACCESS_KEY"}}
VARIABLE = [{"name": "KEY", "valueFrom": NAMED}]
FROM = [{"secretRef": {"name": SECRET}}]


def pod(**spec: Any) -> Object:
    return {"podTemplate": {"spec": spec}}


def beside(**fields: Any) -> Object:
    """Return a podTemplate with another container."""
    return pod(containers=[{"name": "evil", "image": "evil", **fields}])


def volume(**source: Any) -> Object:
    return pod(volumes=[{"name": "evil", **source}])


PROJECTED = {"sources": [{"secret": {"name": SECRET}}]}
CSI = {"driver": "evil.example.com", "nodePublishSecretRef": {"name": SECRET}}
STOLEN: dict[str, Object] = {
    "variable": {"env": VARIABLE},
    "all variables": {"envFrom": FROM},
    "volume": volume(secret={"secretName": SECRET}),
    "projected volume": volume(projected=PROJECTED),
    "driver's volume": volume(csi=CSI),
    "added container's variable": beside(env=VARIABLE),
    "added container's variables": beside(envFrom=FROM),
    "image pull": pod(imagePullSecrets=[{"name": SECRET}]),
}
SECRETS = {
    **{f"job: {name}": job("SecretForbidden", **spec) for name, spec in STOLEN.items()},
    **{
        f"model: {name}": deployment("SecretForbidden", **spec)
        for name, spec in STOLEN.items()
        if "podTemplate" in spec
    },
    "model: variable": deployment("SecretForbidden", server={"env": VARIABLE}),
    "model: all variables": deployment("SecretForbidden", server={"envFrom": FROM}),
    "job: named for an input": reads(
        "s3://{theirs}/models/", "ForbiddenUri", credentialsSecretName=SECRET
    ),
    "job: mount of the agent's own": job(
        "are the operator's own",
        **beside(volumeMounts=[{"name": "slipway-secret-1", "mountPath": "/x"}]),
    ),
    "model: mount of the agent's own": deployment(
        "are the operator's own",
        **beside(volumeMounts=[{"name": "slipway-secret-1", "mountPath": "/x"}]),
    ),
    "job: the agent's processes": job(
        "could read the store's credentials", **pod(shareProcessNamespace=True)
    ),
    "job: the agent's container": job(
        "cannot touch|choose other names",
        podTemplate={"spec": {"containers": [{"name": "agent", "command": ["sh"]}]}},
    ),
}
POWER = {
    "the node's network": pod(hostNetwork=True),
    "the node's processes": pod(hostPID=True),
    "the node's IPC": pod(hostIPC=True),
    "a path of the node": volume(hostPath={"path": "/"}),
    "a port of the node": beside(ports=[{"containerPort": 80, "hostPort": 80}]),
    "a privileged container": beside(securityContext={"privileged": True}),
    "a capability": beside(
        securityContext={"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}
    ),
    "root": beside(securityContext={"runAsUser": 0}),
    "no seccomp": pod(securityContext={"seccompProfile": {"type": "Unconfined"}}),
    "an unmasked /proc": beside(securityContext={"procMount": "Unmasked"}),
    "a token that nobody named": pod(automountServiceAccountToken=True),
    "a projected token": volume(
        projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}
    ),
    "a certificate that nobody named": volume(
        projected={
            "sources": [
                {
                    "podCertificate": {
                        "signerName": "kubernetes.io/kube-apiserver-client-pod",
                        "keyType": "ED25519",
                    }
                }
            ]
        }
    ),
    "a question of the kubelet's to the node": beside(
        livenessProbe={"httpGet": {"host": "169.254.169.254", "port": 80}}
    ),
    "a hook that asks another host": beside(
        lifecycle={"postStart": {"httpGet": {"host": "127.0.0.1", "port": 10255}}}
    ),
    "a setting of the kernel": pod(
        securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}
    ),
    "a disk of the network": volume(nfs={"server": "127.0.0.1", "path": "/"}),
    "the operator's labels": {
        "podTemplate": {"metadata": {"labels": {"slipway.dev/training-job": "busy"}}}
    },
}
REFUSED = r"PodTemplateForbidden|remove podTemplate\.spec|choose other labels|\(Invalid|invalid"
POD_TEMPLATES = {
    f"{kind}: {name}": make(REFUSED, **spec)
    for kind, make in (("job", job), ("model", deployment))
    for name, spec in POWER.items()
}
WITH_PASSWORD = "https://user:hunter2@host.example/a.mar"
PASSWORDS = {
    f"{field}: a password in the URI": make(WITH_PASSWORD, "credentialsSecretName")
    for field, make in FIELDS.items()
    if field != "checkpoint"
} | {
    "git: a password in the URL": job(
        "credentialsSecretName", source={"git": {"url": WITH_PASSWORD}}
    ),
    "git: an option of ssh": job(
        "write source.git.credentialsSecretName",
        source={"git": {"url": "-oProxyCommand=sh@host:x"}},
    ),
    "git: a program as its transport": job(
        "write a repository's URL", source={"git": {"url": "ext::sh -c id"}}
    ),
    "git: a folder of the pod": job(
        "write a repository's URL", source={"git": {"url": "file:///slipway"}}
    ),
}
REFERENCES = {
    "model: a job of another namespace": deployment(
        "TrainingJobNotFound", model={"trainingJob": {"name": "iris"}}
    ),
    "model: a path to another namespace": deployment(
        r"should match|lower-case|RFC 1123", model={"trainingJob": {"name": "../victim/iris"}}
    ),
    "model: every job that there is": deployment(
        "WaitingForTrainingJob",
        model={
            "trainingJobSelector": {
                "matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]
            }
        },
    ),
    "job: a source of another namespace": job(
        "SourceNotFound", source={"configMap": {"name": "theirs"}}
    ),
}
PRIORITIES = {
    f"{kind}: the priority of {name}": make(
        "would drive the pods of all others", priorityClassName=name
    )
    for kind, make in (("job", job), ("model", deployment))
    for name in ("system-node-critical", "system-cluster-critical")
}
ATTACKS = {**URIS, **SECRETS, **POD_TEMPLATES, **PASSWORDS, **REFERENCES, **PRIORITIES}
