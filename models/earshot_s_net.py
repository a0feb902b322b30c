"""The net of earshot-s: dense 3x3 convolutions, which train several times faster than depthwise ones on a CPU."""
import torch, torch.nn as nn, torch.nn.functional as F

EMBEDDING, HIDDEN = 256, 512
TEACHER_SCORES, TEACHER_EMBEDDING = 527, 384     # what mn04 says of a clip


def conv(i, o, k=3, s=1, pad=1, act=True):
    return nn.Sequential(nn.Conv2d(i, o, k, s, pad, bias=False), nn.BatchNorm2d(o), *([nn.ReLU(True)] if act else []))


class SqueezeExcite(nn.Module):
    """Channel gates from the mean over the map (Hu et al., 2018)."""
    def __init__(self, c):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, c // 4, 1), nn.Conv2d(c // 4, c, 1)

    def forward(self, x): return x * torch.sigmoid(self.b(F.relu(self.a(F.adaptive_avg_pool2d(x, 1)))))


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.m = nn.Sequential(conv(c, c), conv(c, c, act=False), SqueezeExcite(c))

    def forward(self, x): return F.relu(x + self.m(x))


class Inverted(nn.Module):
    """Wide between two 1x1 convolutions, with a depthwise 3x3 one there (Sandler et al., 2018). Affordable to train where the map is small."""
    def __init__(self, c, wide):
        super().__init__()
        self.m = nn.Sequential(
            conv(c, wide, 1, pad=0),
            nn.Sequential(nn.Conv2d(wide, wide, 3, 1, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU(True)),
            conv(wide, c, 1, pad=0, act=False))

    def forward(self, x): return x + self.m(x)


class Net(nn.Module):
    """[n, 1, 96, 64] -> logits and embedding. The last convolution spans all bands that are left; two layers behind it refine the
    mean over time, at next to no cost."""
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(
            conv(1, 16, s=2), conv(16, 32, s=2), conv(32, 56, s=2), Residual(56), conv(56, 64, s=2), Residual(64),
            Residual(64), Inverted(64, 128), Inverted(64, 128), conv(64, EMBEDDING, (1, 4), pad=0), nn.AdaptiveAvgPool2d(1))
        self.mlp = nn.Sequential(nn.Linear(EMBEDDING, HIDDEN), nn.ReLU(True), nn.Linear(HIDDEN, EMBEDDING))
        self.head = nn.Linear(EMBEDDING, classes)

    def embed(self, x):
        e = self.body(x).flatten(1)
        return e + self.mlp(e)

    def forward(self, x):
        e = self.embed(x)
        return self.head(e), e


class Student(nn.Module):
    """The net, and what it is taught by beside the labels: heads that the shipped file does not hold."""
    def __init__(self, classes):
        super().__init__()
        self.net = Net(classes)
        self.score, self.emb = nn.Linear(EMBEDDING, TEACHER_SCORES), nn.Linear(EMBEDDING, TEACHER_EMBEDDING)

    def begin_with(self, weights):
        """Takes another net's weights over. What a net from before the two Inverted and the two layers behind the mean lacks begins as
        nothing: it says at first what that net said."""
        if "net.mlp.0.weight" in weights:
            self.load_state_dict(weights)
            return
        self.load_state_dict({k.replace("net.body.7.", "net.body.9."): v for k, v in weights.items()}, strict=False)
        with torch.no_grad():
            for t in (self.net.mlp[2].weight, self.net.mlp[2].bias, self.net.body[7].m[2][1].weight, self.net.body[8].m[2][1].weight):
                t.zero_()
