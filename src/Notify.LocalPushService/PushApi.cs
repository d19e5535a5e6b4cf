using Microsoft.AspNetCore.Http;

namespace Notify.LocalPushService;

/// <summary>
/// <c>POST /push/{token}</c> (RFC 8030, section 5).
/// 1. The subscription. 2. Length. 3. Headers. 4. VAPID. 5. The body. 6. Faults on command, after all checks, so that a fault
/// never hides a bad push message. 7. Delivery.
/// </summary>
internal sealed class PushApi(SubscriptionStore store, VapidVerifier vapid, PushFaults faults, bool checkEphemeralKey)
{
    public async Task<Refusal?> HandleAsync(HttpContext context)
    {
        // 1.
        HttpRequest request = context.Request;
        string path = request.Path.Value ?? "";
        if (!store.TryFind(path.AsSpan(SubscriptionStore.PushPath.Length), out Subscription? subscription))
        {
            return await RefuseAsync(context, Refusal.UnknownEndpoint);
        }

        if (subscription.IsGone)
        {
            return await RefuseAsync(context, Refusal.Gone);
        }

        // 2. and 3. and 4.
        if (CheckHead(request, subscription, out PushHeaders headers) is { } badHead)
        {
            return await RefuseAsync(context, badHead);
        }

        // 5.
        byte[] body = [];
        if (request.ContentLength > 0)
        {
            body = new byte[(int)request.ContentLength.Value];
            await request.Body.ReadExactlyAsync(body, context.RequestAborted);
            if (EncryptedBody.Check(body, checkEphemeralKey) is { } badBody)
            {
                return await RefuseAsync(context, badBody);
            }
        }

        // 6.
        if (faults.Take(subscription) is { } fault && await StrikeAsync(context, subscription, fault))
        {
            return null;
        }

        // 7.
        if (subscription.UserAgent.Deliver(subscription, headers, body, out StoredPush? push) is { } refusal)
        {
            return await RefuseAsync(context, refusal);
        }

        store.Counters.Accepted();
        store.Counters.Answered(StatusCodes.Status201Created);
        context.Response.StatusCode = StatusCodes.Status201Created;
        context.Response.ContentLength = 0;
        context.Response.Headers.Location = $"{store.Origin}/message/{push!.Version}";
        context.Response.Headers["TTL"] = request.Headers["TTL"];
        return null;
    }

    private Refusal? CheckHead(HttpRequest request, Subscription subscription, out PushHeaders headers)
    {
        headers = default;
        return request.ContentLength switch
        {
            null => Refusal.MissingLength,
            > EncryptedBody.MaxLength => Refusal.TooLarge,
            _ => PushHeaders.Read(request.Headers, hasBody: request.ContentLength > 0, out headers)
                ?? (request.Headers.Authorization.Count > 1
                    ? Refusal.MalformedVapid
                    : vapid.Check(request.Headers.Authorization, store.Origin, subscription.ApplicationServerKey)),
        };
    }

    // True when the fault has answered (or aborted), false when the push message was only to wait.
    private async Task<bool> StrikeAsync(HttpContext context, Subscription subscription, PushFault fault)
    {
        if (fault.Delay > TimeSpan.Zero)
        {
            await Task.Delay(fault.Delay, store.TimeProvider, context.RequestAborted);
        }

        if (fault.Reset)
        {
            store.Counters.ConnectionReset();
            context.Abort();
            return true;
        }

        if (fault.Gone)
        {
            subscription.UserAgent.Lose(subscription);
            await RefuseAsync(context, Refusal.Gone);
            return true;
        }

        if (fault.Status is not { } status)
        {
            return false;
        }

        if (fault.RetryAfter is not null)
        {
            context.Response.Headers.RetryAfter = fault.RetryAfter;
        }

        if (fault.Body is null && status >= StatusCodes.Status400BadRequest)
        {
            await RefuseAsync(context, Refusal.OfFault(status));
            return true;
        }

        store.Counters.Answered(status);
        context.Response.StatusCode = status;
        if (!string.IsNullOrEmpty(fault.Body))
        {
            context.Response.ContentType = fault.Body[0] is '{' or '[' ? "application/json" : "text/plain; charset=utf-8";
            await context.Response.WriteAsync(fault.Body);
        }

        return true;
    }

    private async Task<Refusal> RefuseAsync(HttpContext context, Refusal refusal)
    {
        store.Counters.Answered(refusal.Status);
        if (refusal.Status == StatusCodes.Status401Unauthorized)
        {
            context.Response.Headers.WWWAuthenticate = "vapid";
        }

        await ErrorBody.WriteAsync(context.Response, refusal);
        return refusal;
    }
}
