using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Notify.LocalPushService;

/// <summary>Error bodies in the style of Mozilla's push service: code, errno, error, message; and Apple's reason.</summary>
internal static class ErrorBody
{
    public static Task WriteAsync(HttpResponse response, Refusal refusal)
    {
        response.StatusCode = refusal.Status;
        return response.WriteAsJsonAsync(new
        {
            code = refusal.Status,
            errno = refusal.Errno,
            error = ReasonPhrases.GetReasonPhrase(refusal.Status),
            message = refusal.Message,
            reason = refusal.Reason,
        });
    }
}
